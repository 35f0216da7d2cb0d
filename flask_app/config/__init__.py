"""The program's settings."""

from flask import current_app

from flask_app.config.config import Config, ConfigError, DataverseSettings, retired_settings, strange_settings

__all__ = ["Config", "ConfigError", "DataverseSettings", "retired_settings", "settings", "strange_settings"]


def settings() -> Config:
    """Return the settings of the running application."""
    config: Config = current_app.extensions["settings"]
    return config
