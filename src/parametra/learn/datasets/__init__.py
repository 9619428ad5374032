"""Images and text: from files that a user names, from the `datasets` package on request, or embedded. Nothing here needs jax.

| name | what it is |
| --- | --- |
| `load_images`, `Images`, `ImageSet` | digits (embedded), MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100, CIFAR-10 as packed JPEG |
| `load_text`, `Text`, `TextSet` | the beginning of War and Peace (embedded), Penn Treebank, WikiText-2, any plain text |
| `columns` | a text as columns that are read side by side, for truncated backpropagation through time |
| `Source` | a folder of the user's, or the `datasets` package |

A set that is asked for is read or refused; none is ever replaced by another.
"""

from parametra.learn.datasets.images import Images as Images
from parametra.learn.datasets.images import load_images as load_images
from parametra.learn.datasets.names import ImageSet as ImageSet
from parametra.learn.datasets.names import Source as Source
from parametra.learn.datasets.names import TextSet as TextSet
from parametra.learn.datasets.text import Text as Text
from parametra.learn.datasets.text import columns as columns
from parametra.learn.datasets.text import load_text as load_text
