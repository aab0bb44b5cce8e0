"""What people complain about, and why it may be so: the troubleshooting lists of the documents, as checks of a log."""

from understudy.adapters.cli.symptoms.case import Case
from understudy.adapters.cli.symptoms.examination import CHECKS, SYMPTOMS, examine_symptoms

__all__ = ["CHECKS", "SYMPTOMS", "Case", "examine_symptoms"]
