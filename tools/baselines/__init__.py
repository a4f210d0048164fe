"""What needs no neural network: constants, regression, boosted trees and similarity of neighbourhoods, measured as a network is."""

from agentnas.tools.baselines.base import Baseline as Baseline
from agentnas.tools.baselines.base import Fitted as Fitted
from agentnas.tools.baselines.measure import Measured as Measured
from agentnas.tools.baselines.measure import baselines_for as baselines_for
from agentnas.tools.baselines.measure import measure as measure
