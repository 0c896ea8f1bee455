"""A recipe that learns to count drawn scenes, for as good as no time."""

COUNTED = """
name: counted
data:
  annotated: {use: drawn_scenes, part: train, labels: 4, images: 8}
backbone: {use: timm, model: test_resnet, stride: 8}
heads: {density: {use: density}}
optimizer: {use: adamw, lr: 1.0e-3}
streams:
  labeled:
    data: annotated
    batch_size: 2
    generator: [{use: scaled_crops, size: 64, smallest: 64, largest: 96, count: 1}]
    objectives: [{use: density_mse, head: density, sigma: 5}]
steps: 1
device: cpu
threads: 1
predict: {use: whole}
"""
