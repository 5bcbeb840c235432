"""The pictures of docs/images/noise, drawn by docs/make_pictures.py."""
