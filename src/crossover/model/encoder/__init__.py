"""Pretrained encoders: located, verified, pooled."""
