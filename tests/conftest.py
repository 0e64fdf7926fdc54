"""What holds for all tests."""
import sys


def pytest_collection_finish():
    """PyTorch, the reference, keeps to one thread: on busy cores its threads wait far longer than they work."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
