"""What people look at: transcripts, progress, learning curves."""
