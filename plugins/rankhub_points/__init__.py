"""Points in images, as labels that move with their views. A base, no plugin."""

from rankhub_points.points import PointLabels as PointLabels
from rankhub_points.points import Points as Points
