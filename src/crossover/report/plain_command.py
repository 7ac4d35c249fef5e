"""A script that composes no config: it reads the store alone, with arguments of its own."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

from crossover.data.bad_input import BadInput
from crossover.report.visible_text import visible

_SETTING = re.compile(r"[a-z]+=")


def plain_command(
    main: Callable[[argparse.Namespace], int], about: str, arguments: Mapping[str, Mapping[str, object]]
) -> None:
    """Run ``main`` on the arguments given and exit with its code.

    ``arguments`` are those of argparse by name; ``--store`` is among them always. ``store=outputs``,
    as the other scripts have it, is read as ``--store=outputs``. Bad input is one message on stderr and
    exit code 2; an interruption is 130.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", default="outputs", help="the results folder, outputs by default")
    for name, how in arguments.items():
        parser.add_argument(name, **cast(dict[str, Any], how))
    given = parser.parse_args([f"--{word}" if _SETTING.match(word) else word for word in sys.argv[1:]])
    try:
        code = main(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has left. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (BadInput, OSError) as error:
        sys.stderr.write(f"error: {visible(str(error), 4000)}\n")
        code = 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    sys.exit(code)
