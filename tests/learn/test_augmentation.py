"""Augmentation: what comes out is a mirrored or shifted copy of what went in, each image drawn on its own."""

import jax
import jax.numpy as jnp
import numpy as np

from parametra.learn.augmentation import flip, pad_crop

IMAGES = jnp.arange(64 * 6 * 6 * 2).reshape(64, 6, 6, 2)


def test_about_half_is_mirrored_and_the_rest_is_untouched():
    mirrored = flip(IMAGES, jax.random.key(0))
    changed = np.array([not np.array_equal(a, b) for a, b in zip(IMAGES, mirrored, strict=True)])
    np.testing.assert_array_equal(mirrored[changed], IMAGES[changed][:, :, ::-1])
    assert 16 < changed.sum() < 48


def test_every_crop_is_a_window_of_the_padded_image():
    cut, margin = np.asarray(pad_crop(IMAGES, jax.random.key(1), margin=2)), 2
    padded = np.pad(np.asarray(IMAGES), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    places = []
    for image, whole in zip(cut, padded, strict=True):
        found = [(i, j) for i in range(2 * margin + 1) for j in range(2 * margin + 1)
                 if np.array_equal(image, whole[i : i + 6, j : j + 6])]  # fmt: skip
        assert found
        places += found[:1]
    assert len(set(places)) > 10
