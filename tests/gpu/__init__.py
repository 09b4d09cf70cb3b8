"""The GPU path, verified without a GPU and ready for one."""
