"""A design: everything that is chosen before a family is fitted. No jax here; a study's configuration holds designs."""

from typing import Literal

from pydantic import Field, model_validator

from parametra.core.config import Config

TAN = "tan-reconstruction"


class Design(Config):
    """Main network, parameterization network, coordinates and loss of a family."""

    main: Literal["polynomial", "network"] = Field(default="polynomial", description="main network")
    degree: int = Field(default=4, ge=1, le=8, description="of the polynomial library")
    terms: int = Field(default=0, ge=0, description="terms of the library that are kept; 0 keeps all")
    hidden: tuple[int, ...] = Field(default=(12,), description="widths of the network's hidden layers")
    activation: Literal["tanh", "gelu"] = Field(default="tanh", description="smooth: landmarks need derivatives")
    tail: float | None = Field(
        default=None, ge=0.0, le=1.0, description="the hidden layer grows like |v|^tail; None leaves that to the activation"
    )
    coefficients: Literal["affine", "powers", "low-rank", "hypernetwork", "concatenation", "constant"] = Field(
        default="affine", description="parameterization network"
    )
    order: int = Field(default=2, ge=1, le=64, description="degree of powers, rank of low-rank, width of hypernetwork")
    varies: Literal["last", "all"] = Field(default="last", description="which weights of the network move with the control")
    link: Literal["identity", "residual", "log-ratio", "tendency"] = Field(default="identity", description="what is predicted")
    loss: Literal["one-step", "shooting"] = Field(default="one-step", description="what is minimised")
    free: bool = Field(default=True, description="whether shooting finds the initial states, too")
    powers: tuple[float, ...] = Field(default=(), description="of the control, that scale the state; one, or one per variable")
    out_powers: tuple[float, ...] = Field(default=(), description="the same for what is predicted")
    learn_powers: bool = Field(default=False, description="whether training moves `powers`; `out_powers` stay")
    ridge: float = Field(default=1e-12, ge=0.0, le=1.0, description="penalty on the last layer, relative to the mean square")
    adam: int = Field(default=0, ge=0, le=100_000, description="steps of Adam before Levenberg-Marquardt")
    steps: int = Field(default=60, ge=1, le=10_000, description="most steps of Levenberg-Marquardt")
    restarts: int = Field(default=3, ge=1, le=100, description="random starts of a network; the best training error counts")

    @model_validator(mode="after")
    def _lawful(self) -> "Design":
        if self.main == "polynomial" and self.coefficients in ("low-rank", "hypernetwork", "concatenation"):
            raise ValueError(f'a polynomial moves with coefficients "affine" or "powers", not "{self.coefficients}"')
        if self.tail is not None and (self.main == "polynomial" or len(self.hidden) != 1 or self.varies == "all"):
            raise ValueError('a tail belongs to a network with one hidden layer, that varies in its "last" one')
        if self.main == "network" and self.terms:
            raise ValueError("terms belong to the polynomial library, not to a network")
        if self.main == "polynomial" and (self.powers or self.out_powers or self.learn_powers):
            raise ValueError("the polynomial library works in raw coordinates, without powers")
        return self

    @property
    def label(self) -> str:
        """A short name; the Tan reconstruction says what it is."""
        if self.main == "polynomial":
            kind = f"sparse poly{self.degree}, {self.terms} terms" if self.terms else f"poly{self.degree}"
            moves = f"powers {self.order}" if self.coefficients == "powers" else self.coefficients
        else:
            kind = f"net {'-'.join(map(str, self.hidden))}{' all' if self.varies == 'all' else ''}"
            kind += f", tail {self.tail:g}" if self.tail is not None else ""
            moves = {"powers": f"powers {self.order}", "low-rank": f"rank {self.order}"}.get(self.coefficients, self.coefficients)
            moves = f"{TAN} {self.order}" if self.coefficients == "hypernetwork" and self.varies == "all" else moves
        extras = [self.link] if self.link != "identity" else []
        if self.powers or self.out_powers or self.learn_powers:
            scaled = ("x / mu^", self.powers), ("out x mu^", self.out_powers)
            shown = [what + " ".join(f"{power:g}" for power in given) if any(given) else "" for what, given in scaled]
            extras += [text for text in (*shown, "learned powers" if self.learn_powers else "") if text]
        return ", ".join([kind, moves, *extras, *(["shooting"] if self.loss == "shooting" else [])])
