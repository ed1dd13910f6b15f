"""A bucket of an S3-compatible service as a place for files: see `treemill.objects.ObjectPlace`.

Keys, regions, profiles and endpoints are those of every program on AWS's own library: `AWS_PROFILE`, `AWS_REGION`,
`AWS_ENDPOINT_URL`, `~/.aws`, roles. A put is atomic there: readers see the old object or the new one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from treemill.errors import StorageError, UsageError

_MISSING = ("NoSuchKey", "404", "NotFound")
_CONFIG = Config(connect_timeout=10, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"})


class S3Place:
    """Objects below a prefix of a bucket, which must be there."""

    def __init__(self, bucket: str, prefix: str) -> None:
        if not bucket:
            raise UsageError("an s3:// URL names a bucket", suggestion="It looks like s3://bucket/prefix")
        self.bucket = bucket
        self.prefix = f"{prefix}/" if prefix else ""
        with self._explained():
            self._client: Any = boto3.client("s3", config=_CONFIG)

    @property
    def shown(self) -> str:
        """The URL."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def put_file(self, name: str, path: Path) -> None:
        """Upload a file, in parts where it is large; it is there when all of them are."""
        with self._explained():
            self._client.upload_file(str(path), self.bucket, self.prefix + name)

    def put(self, name: str, data: bytes) -> None:
        """Upload bytes."""
        with self._explained():
            self._client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data)

    def get(self, name: str, most_bytes: int) -> bytes | None:
        """Download what is there."""
        with self._explained():
            found = self._found(name)
            if found is None:
                return None
            data: bytes = found["Body"].read(most_bytes)
            return data

    def get_file(self, name: str, path: Path, most_bytes: int) -> bool:
        """Download what is there into a file."""
        with self._explained():
            found = self._found(name)
            if found is None:
                return False
            with path.open("xb") as copy:
                left = most_bytes
                while left and (data := found["Body"].read(min(left, 1 << 20))):
                    left -= len(data)
                    copy.write(data)
        return True

    def ages(self) -> dict[str, float]:
        """List what is below the prefix, but not below a further slash."""
        now, found = time.time(), {}
        with self._explained():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix, Delimiter="/"):
                for each in page.get("Contents", ()):
                    found[each["Key"].removeprefix(self.prefix)] = now - each["LastModified"].timestamp()
        return found

    def remove(self, name: str) -> None:
        """Delete an object."""
        with self._explained():
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def _found(self, name: str) -> Any:
        try:
            return self._client.get_object(Bucket=self.bucket, Key=self.prefix + name)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, boto3.exceptions.Boto3Error) as error:
            raise StorageError(
                f"s3://{self.bucket} cannot be used: {error}",
                suggestion="Look at AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and what the key may do: aws s3 ls",
            ) from error
        except OSError as error:
            raise StorageError(f"s3://{self.bucket}: {error.strerror or error}") from error
