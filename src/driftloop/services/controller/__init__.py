"""The controller: takes events, decides by decisions, records, acts."""
