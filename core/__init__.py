"""Words shared by every part: types, settings, errors and logs. Imports pydantic and the standard library only."""
