"""Tables that say something of images: one reader of each format, splits into parts, few labels. A base, no plugin."""
