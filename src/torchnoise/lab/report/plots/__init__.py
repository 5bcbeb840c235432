"""The report's pictures: inline SVG that takes its colours from the page, so that it follows a dark screen."""
