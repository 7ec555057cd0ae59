"""The controller: takes events, decides by decisions.py, records, acts."""
