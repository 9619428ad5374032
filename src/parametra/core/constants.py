"""Physical constants, SI, one value each for host, cloud-resolving model, radiation and network.

Values of gravity, heat capacity and gas constants are those of the dinosaur dynamical core, so that host and column physics
close one energy budget; latent heats are those of the System for Atmospheric Modeling (SAM).
"""

GRAVITY = 9.80616  # m s-2
HEAT_CAPACITY = 1004.0  # dry air at constant pressure, J kg-1 K-1
KAPPA = 2.0 / 7.0  # R / cp of dry air
GAS_CONSTANT = HEAT_CAPACITY * KAPPA  # dry air, J kg-1 K-1
GAS_CONSTANT_VAPOUR = 461.0  # J kg-1 K-1
LATENT_HEAT_CONDENSATION = 2.501e6  # J kg-1
LATENT_HEAT_FUSION = 0.3337e6  # J kg-1
LATENT_HEAT_SUBLIMATION = LATENT_HEAT_CONDENSATION + LATENT_HEAT_FUSION  # J kg-1
STEFAN_BOLTZMANN = 5.670374e-8  # W m-2 K-4
SOLAR_CONSTANT = 1360.0  # W m-2
DENSITY_WATER = 1000.0  # kg m-3
REFERENCE_PRESSURE = 1.0e5  # Pa
EARTH_RADIUS = 6.37122e6  # m
SECONDS_PER_DAY = 86400.0
DAYS_PER_YEAR = 360  # perpetual equinox: the calendar has no seasons
