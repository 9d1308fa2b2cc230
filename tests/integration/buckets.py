"""buckets.py - groups in a bucket of s3_double.py."""
import shutil

import s3_double
from installation import user_options


def storage(double, number, **more):
    """The settings of one storage, the `number`-th of its group."""
    return {"engine": "s3", "id": number, "max_file_size": "64M", "s3_endpoint": double.url,
            "s3_region": s3_double.REGION, "s3_bucket": s3_double.BUCKET, "s3_prefix": "some/prefix",
            "s3_timeout": "4s", "s3_capacity": "123G", "journal": "../journal", **more}


def give_secrets(one, secret=s3_double.SECRET):
    folder = one.home / "secret"
    folder.mkdir(mode=0o700, parents=True)
    for name, text in (("s3_access_key", s3_double.ACCESS), ("s3_secret_key", secret)):
        (folder / name).touch(0o600)
        (folder / name).write_text(text + "\n")
    for path in (one.home, folder, *folder.iterdir()):
        if user_options():
            shutil.chown(path, user_options()[1])
