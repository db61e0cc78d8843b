"""What of a slide is read, and how: levels, resampling, intensities, and the area that counts."""
