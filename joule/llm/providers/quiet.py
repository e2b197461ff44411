"""Keeps the libraries under a model from telling anybody what was said.

LangSmith tracing would send whole conversations to a third party if a variable of its own were set; the providers'
clients write request bodies to their debug logs. Both are switched off for the whole process, whatever the environment
says, before any model is opened.
"""

import logging
import os
import sys

# Loggers whose DEBUG or INFO lines hold bodies, headers or addresses of requests.
_TALKATIVE = (
    "anthropic",
    "botocore",
    "boto3",
    "google",
    "google_genai",
    "httpcore",
    "httpcore2",
    "httpx",
    "httpx2",
    "langchain_aws",
    "langchain_core",
    "langchain_google_genai",
    "langchain_openai",
    "langsmith",
    "openai",
    "urllib3",
)


# Read by the tracer when it is loaded later than this is called.
_SWITCHES = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2")
# The switch of a tracer that is no longer made: where somebody has set it, every run of the graph would end in an error.
_FORMER_SWITCH = "LANGCHAIN_TRACING"


def silence() -> None:
    """Switch tracing off and raise the threshold of the talkative loggers. May be called again at any time.

    Does not load the tracer, which takes 17 MB that a web process has no other use for; where it is loaded it is told.
    """
    os.environ.update(dict.fromkeys(_SWITCHES, "false"))
    os.environ.pop(_FORMER_SWITCH, None)
    if "langsmith" in sys.modules:
        import langsmith

        langsmith.configure(enabled=False)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
