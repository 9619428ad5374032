"""Our columns in a model that none of us wrote, and its columns in ours: jcm 3.0.0. Needs the extra `jcm` (Python < 3.12).

| name | what it is |
| --- | --- |
| `SchemeTerm` | one of our column schemes, a network's for instance, as a physics term of jcm |
| `JcmScheme` | a physics package of jcm, SPEEDY's for instance, as the closure of our atmosphere |
| `JCM_VERSION` | of the jcm that was found |
"""

from parametra.climate.foreign.needed import JCM_VERSION as JCM_VERSION
from parametra.climate.foreign.scheme import JcmScheme as JcmScheme
from parametra.climate.foreign.term import SchemeTerm as SchemeTerm
