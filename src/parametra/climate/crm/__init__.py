"""The two-dimensional cloud-resolving model."""

from parametra.climate.crm.grid import CRMGrid as CRMGrid
from parametra.climate.crm.interval import CloudModel as CloudModel
from parametra.climate.crm.interval import rest as rest
from parametra.climate.crm.interval import run_interval as run_interval
from parametra.climate.crm.state import CRMForcing as CRMForcing
from parametra.climate.crm.state import CRMMeans as CRMMeans
from parametra.climate.crm.state import CRMState as CRMState
