"""Who may read what was said in a recorded task: asked for, granted by the organisation, ended, and every read on record."""
