"""What the blueprints share: who is asking, forms, how things are written, files, errors, headers."""
