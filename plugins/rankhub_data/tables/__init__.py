"""Tables that say something of images: one reader of each format, the split into parts, few labels, reports."""
