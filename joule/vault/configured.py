"""The wrapper this installation's settings ask for.

With a KMS key configured and a key file still there, KMS wraps and the file still opens: that is the whole of moving
from one to the other, until every data key is rewrapped and the file is taken away.
"""

from joule.kernel.settings import Settings
from joule.vault.aws_kms import AwsKms, kms_client
from joule.vault.local_key_file import LocalKeyFile
from joule.vault.wrapper import KeyWrapper, Succession


def wrapper_of(settings: Settings) -> KeyWrapper:
    """Raises `Misconfigured` when the key file is missing or unsafe, or AWS cannot be reached as configured."""
    if settings.vault.kms_key is None:
        return LocalKeyFile(settings.key_file)
    kms = AwsKms(key=settings.vault.kms_key, client=kms_client())
    if not settings.key_file.exists():
        return kms
    return Succession(current=kms, before=[LocalKeyFile(settings.key_file)])
