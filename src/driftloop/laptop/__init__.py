"""The loop on one machine: child processes, the replay of a stream, and what it leaves behind."""
