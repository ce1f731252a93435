"""What a user can set, where it was set, and what is said of a wrong setting.

settings.py has the keys, those of models in models.py, of the router in router.py and of alerts in alerts.py;
section.py has what their sections have in common, sources.py reads YAML, variables and options, loading.py makes a
configuration of them, messages.py says what is wrong, secrets.py keeps secrets out of what is written, reference.py
makes docs/settings.md.
"""

from agent0es.configuration.alerts import AlertRule, AlertRules, AlertsSettings, RecentRule, TimedRule
from agent0es.configuration.loading import changed_configuration, load_configuration, loaded, parse_configuration
from agent0es.configuration.models import ModelSettings, StudentSettings
from agent0es.configuration.router import BudgetSettings, CloudModelSettings, RoutedModelSettings, RouterSettings
from agent0es.configuration.settings import (
    PYTHON_MODULES,
    SHELL_COMMANDS,
    Configuration,
    CurriculumSettings,
    EvaluationSettings,
    ExecutionSettings,
    GuardSettings,
    LogSettings,
    ModelsSettings,
    RewardsSettings,
    SandboxSettings,
    ToolSettings,
    ToolsSettings,
    TrainingSettings,
)

__all__ = [
    "PYTHON_MODULES",
    "SHELL_COMMANDS",
    "AlertRule",
    "AlertRules",
    "AlertsSettings",
    "BudgetSettings",
    "CloudModelSettings",
    "Configuration",
    "CurriculumSettings",
    "EvaluationSettings",
    "ExecutionSettings",
    "GuardSettings",
    "LogSettings",
    "ModelSettings",
    "ModelsSettings",
    "RecentRule",
    "RewardsSettings",
    "RoutedModelSettings",
    "RouterSettings",
    "SandboxSettings",
    "StudentSettings",
    "TimedRule",
    "ToolSettings",
    "ToolsSettings",
    "TrainingSettings",
    "changed_configuration",
    "load_configuration",
    "loaded",
    "parse_configuration",
]
