"""The verb ``publish``: what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ...api.options import PublishOptions
from .flat import FLAT

__all__ = ["publish"]


def publish(
    packages: list[Path],
    /,
    *,
    options: Annotated[PublishOptions | None, FLAT] = None,
    json: bool = False,
    quiet: bool = False,
) -> int:
    """Publish a package: in the BioImage Model Zoo, as a release on GitHub, or as a static site.

    The package first passes the zoo's own checks on this machine. The token comes from the environment: HYPHA_TOKEN for
    the zoo, GITHUB_TOKEN for GitHub. An upload that breaks off is completed by the same command, or removed by --abort.

    Typical calls:

      instanseg-export publish my_model --to bioimageio --dry-run
      instanseg-export publish my_model --to bioimageio
      instanseg-export publish my_model --to github-release --repository me/my-models
      instanseg-export publish my_model --to github-release --repository me/my-models --output release
      instanseg-export publish my_model another_model --to folder --output site --url https://example.com/zoo

    Parameters
    ----------
    packages
        A package's folder or zip; for a site also several.
    options
        See PublishOptions.
    json
        Print one JSON document on stdout, and nothing else there.
    quiet
        Print errors only.
    """
    from ..publish_command import publish_command

    return publish_command(packages, options, as_json=json, quiet=quiet)
