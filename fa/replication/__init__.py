"""Lock-step mirroring: group commit, WAL capture, segments (LTX), shipping, applying, snapshots, restore."""
