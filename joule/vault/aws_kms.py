"""AWS KMS as the wrapper of data keys: the wrapping key never leaves Amazon's hardware.

The one module that knows boto3, an extra (`joule-agent[aws]`) that is imported when it is needed. Its calls block, so
each runs in a thread. The wrap context goes along as KMS's encryption context, and so into CloudTrail.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from joule.kernel.errors import Corrupt, JouleError
from joule.kernel.ids import new_id
from joule.vault.errors import WrapperAway, WrapperRefuses
from joule.vault.record import KEY_BYTES
from joule.vault.wrapper import KekName, WrapContext, WrappedKey

T = TypeVar("T")

_CORRUPT = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_REFUSES = {
    "AccessDeniedException": "Allow this role kms:Encrypt, kms:Decrypt and kms:DescribeKey on the key.",
    "NotFoundException": "Check JOULE_VAULT_KMS_KEY and the region: there is no such key there.",
    "DisabledException": "Enable the key in KMS again.",
    "KMSInvalidStateException": "The key is being deleted or not ready: cancel its deletion in KMS.",
    "InvalidKeyUsageException": "Use a symmetric key made for encryption and decryption.",
    "InvalidArnException": "Check the form of JOULE_VAULT_KMS_KEY.",
    "ValidationException": "Check the form of JOULE_VAULT_KMS_KEY.",
    "UnrecognizedClientException": "Give Joule valid AWS credentials.",
    "InvalidClientTokenId": "Give Joule valid AWS credentials.",
    "InvalidSignatureException": "Give Joule valid AWS credentials, and check this machine's clock.",
    "ExpiredTokenException": "Renew Joule's AWS credentials.",
}


def kms_client(*, region: str | None = None, endpoint: str | None = None) -> Any:
    """A client with short patience: a stuck key service must not hold a request for a minute.

    Raises `WrapperRefuses` when the extra is not installed or AWS's own configuration is incomplete.
    """
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore]
        from botocore.config import Config  # type: ignore[import-untyped,unused-ignore]
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        raise WrapperRefuses(
            "an AWS KMS key is configured, but boto3 is not installed", advice="Install `joule-agent[aws]`."
        ) from None
    patience = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    try:
        return boto3.client("kms", region_name=region, endpoint_url=endpoint, config=patience)
    except BotoCoreError as problem:
        raise WrapperRefuses(
            f"AWS is not configured: {type(problem).__name__}", advice="Set the AWS region and credentials."
        ) from problem


class AwsKms:
    """A `KeyWrapper` over one KMS key, still opening what its former keys wrapped."""

    scheme = "aws-kms"

    def __init__(self, *, key: str, client: Any, former: Sequence[str] = ()) -> None:
        """`key` is an id, ARN or alias; `former` are ARNs. Only these are ever asked to decrypt.

        Otherwise whoever can write our rows could name a key of their own there, and know every data key.
        """
        self._key, self._client, self._former = key, client, frozenset(former)
        self._arn: str | None = None

    def __repr__(self) -> str:
        return f"<AwsKms {self._key}>"

    async def current(self) -> KekName:
        return KekName(scheme=self.scheme, kek_id=await self._current_arn())

    async def wrap(self, key: bytes, context: WrapContext) -> WrappedKey:
        arn = await self._current_arn()
        answer = await _ask(
            lambda: self._client.encrypt(KeyId=arn, Plaintext=key, EncryptionContext=dict(context.as_mapping()))
        )
        return WrappedKey(kek=KekName(scheme=self.scheme, kek_id=arn), blob=bytes(answer["CiphertextBlob"]))

    async def unwrap(self, wrapped: WrappedKey, context: WrapContext) -> bytes:
        arn = wrapped.kek.kek_id
        if arn not in self._former and arn != await self._current_arn():
            raise WrapperRefuses(
                "a data key was wrapped by a KMS key that is not configured",
                advice="Configure the former key's ARN until every data key is rewrapped.",
            )
        answer = await _ask(
            lambda: self._client.decrypt(
                KeyId=arn, CiphertextBlob=wrapped.blob, EncryptionContext=dict(context.as_mapping())
            )
        )
        return bytes(answer["Plaintext"])

    async def health(self) -> None:
        context = WrapContext(org=new_id(), key=new_id(), subject="", environment="health")
        await self.unwrap(await self.wrap(os.urandom(KEY_BYTES), context), context)

    async def _current_arn(self) -> str:
        # Asked once: an alias pointed elsewhere later takes effect at a restart, with the key before it in `former`.
        if self._arn is None:
            answer = await _ask(lambda: self._client.describe_key(KeyId=self._key))
            self._arn = str(answer["KeyMetadata"]["Arn"])
        return self._arn


async def _ask(call: Callable[[], T]) -> T:
    from botocore.exceptions import (  # type: ignore[import-untyped,unused-ignore]
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    try:
        return await asyncio.to_thread(call)
    except ClientError as problem:
        # Without the cause: botocore keeps request parameters in its frames, and the data key is one of them.
        failure = _meaning(str(problem.response.get("Error", {}).get("Code", "")))
    except (NoCredentialsError, PartialCredentialsError):
        failure = WrapperRefuses("there are no AWS credentials", advice="Give Joule an AWS role or credentials.")
    except (BotoCoreError, OSError):
        failure = WrapperAway()
    raise failure


def _meaning(code: str) -> JouleError:
    if code in _CORRUPT:
        return Corrupt("a wrapped key does not open")
    advice = _REFUSES.get(code)
    if advice is not None:
        return WrapperRefuses(f"AWS KMS refuses: {code}", advice=advice)
    return WrapperAway()  # throttling, internal trouble, and whatever AWS invents next
