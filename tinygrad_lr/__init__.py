"""tinygrad_lr: automatic differentiation on NumPy that shows its work."""

from . import ops as ops
from .autodiff import (
    grad as grad,
)
from .autodiff import (
    hessian as hessian,
)
from .autodiff import (
    hvp as hvp,
)
from .autodiff import (
    jacobian as jacobian,
)
from .autodiff import (
    jvp as jvp,
)
from .autodiff import (
    no_grad as no_grad,
)
from .autodiff import (
    value_and_grad as value_and_grad,
)
from .autodiff import (
    vjp as vjp,
)
from .gradient_check import check_gradients as check_gradients
from .primitive import primitive as primitive
from .value import Value as Value

__version__ = "0.1.0"
