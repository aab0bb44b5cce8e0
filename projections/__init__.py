"""What the events add up to: pure folds, one idea a file."""

from understudy.projections.block import BlockBuilder, BrokenBlock, check_block, fold_blocks, opened
from understudy.projections.snapshot import BrokenSnapshot, dump_standing, load_standing
from understudy.projections.standing import FOLD_VERSION, Standing
from understudy.projections.views import LaneView, ProviderView, lane_view, provider_view, provider_views

__all__ = [
    "FOLD_VERSION",
    "BlockBuilder",
    "BrokenBlock",
    "BrokenSnapshot",
    "LaneView",
    "ProviderView",
    "Standing",
    "check_block",
    "dump_standing",
    "fold_blocks",
    "lane_view",
    "load_standing",
    "opened",
    "provider_view",
    "provider_views",
]
