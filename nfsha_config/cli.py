"""The command nfsha: parses and prints, no more; the only place that exits."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from nfsha_config import __version__, answers, render
from nfsha_config.build import build, debian, preseed, source
from nfsha_config.build.sources import PLACEHOLDER
from nfsha_config.paths import Paths
from nfsha_config.problems import NfshaError
from nfsha_config.site import load, secrets

FILE = click.Path(path_type=Path)
PACKAGE = click.Choice(render.PACKAGES)
site_option = click.option(
    "--site", type=FILE, metavar="FILE", default=load.LAB, help="The site's file; without it, the laboratory."
)


def main() -> NoReturn:
    """Run, and exit: 0 done, 1 an error that is the user's to mend, 2 a wrong command line."""
    try:
        nfsha.main(prog_name="nfsha", standalone_mode=False)
    except NfshaError as error:
        for line in str(error).splitlines():
            click.echo(f"nfsha: {line}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    sys.exit(0)


def files_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """A file that can't be read or written is the user's to mend: no traceback."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise NfshaError(f"{place}{error.strerror or error} (mend the path or its permissions)") from error

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show each command that is run.")
@click.version_option(__version__, prog_name="nfsha", message="%(prog)s %(version)s")
def nfsha(verbose: bool) -> None:
    """Highly available NFSv4 on plain Debian: from a site's description to running machines."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, format="nfsha: %(message)s", stream=sys.stderr, force=True
    )


@nfsha.command()
def example() -> None:
    """Print the laboratory's site.toml, a site to start from."""
    click.echo(load.LAB.read_text(encoding="utf-8"), nl=False)


@nfsha.command()
@click.argument("site", type=FILE, default=load.LAB)
def check(site: Path) -> None:
    """Show all problems of a site's file."""
    good = load.load_file(site)
    nodes = ", ".join(node.name for node in good.nodes)
    click.echo(f"{site}: good; cluster {good.cluster.name}, revision {good.cluster.revision}, nodes {nodes}")


@nfsha.command("render")
@click.argument("host")
@site_option
@click.option("--secrets", "secrets_file", type=FILE, metavar="FILE", help="Render the files that hold secrets, too.")
@click.option("--out", type=FILE, metavar="FOLDER", help="Write the files below this folder, instead of printing them.")
@files_errors
def render_(host: str, site: Path, secrets_file: Path | None, out: Path | None) -> None:
    """Show the files of HOST: the name of a node, target or client."""
    chap = secrets.load(secrets_file) if secrets_file else None
    files = render.files(host, load.load_file(site), chap)
    if out is not None:
        source.write(files, out)
        click.echo(f"{out}: {len(files)} files")
        return
    for file in files:
        click.echo(f"==> {file.path} {file.mode:04o}")
        click.echo(file.text)


def debian_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what of Debian goes into the repository, named as debootstrap and mmdebstrap name them."""
    options = (
        click.option("--with-dependencies", "release", metavar="RELEASE", help="Also put in what the packages need of "
                     "this Debian release (its code name): a machine installs them with no other source."),
        click.option("--mirror", metavar="URI", help="Of the release.  [default: this machine's]"),
        click.option("--security-mirror", metavar="URI", help="Of its security updates.  [default: this machine's]"),
        click.option("--keyring", type=FILE, default=debian.KEYRING, show_default=True, help="Who may sign it."),
        click.option("--architecture", help="Of the machines, such as arm64.  [default: this machine's]"),
        click.option("--components", default="main", show_default=True, help="Those to take packages from."),
        click.option("--include", default="", metavar="NAMES", help="More packages, each with all it needs."),
    )  # fmt: skip
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), function)


@nfsha.command("build")
@site_option
@click.option(
    "--out", type=FILE, metavar="FOLDER", required=True, help="The repository's folder; an earlier one is replaced."
)
@click.option(
    "--uri", metavar="URI", default=PLACEHOLDER, show_default=True,
    help="Where machines find it; goes into nfsha.sources.",
)
@click.option(
    "--tool", type=FILE, metavar="DEB", help="The .deb of this tool, where it can be neither built nor fetched."
)
@debian_options
@files_errors
def build_(site: Path, out: Path, uri: str, tool: Path | None, release: str | None, **options: Any) -> None:
    """Build the site's packages and put them into a signed apt repository."""
    load.load_file(site)
    if release is None:
        context = click.get_current_context()
        for name in options:
            if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"--{name.replace('_', '-')} is of no use without --with-dependencies")
    wanted = debian.of(release, **options) if release is not None else None
    text = site.read_text(encoding="utf-8")
    for name in build.build(build.Order(text, str(site), out, uri, tool, wanted)):
        click.echo(name)
    click.echo(f"{out / build.SOURCES}: copy it to /etc/apt/sources.list.d/ on each machine")


@nfsha.command("preseed")
@click.argument("host")
@site_option
@click.option(
    "--secrets", "secrets_file", type=FILE, metavar="FILE", required=True, help="What `nfsha secrets init` made."
)
@click.option("--out", type=FILE, metavar="FILE", help="The file to write, mode 0600.  [default: HOST.preseed]")
@click.option("--consent-to-format", is_flag=True, help="Let the first node partition and format the blank LUN.")
@files_errors
def preseed_(host: str, site: Path, secrets_file: Path, out: Path | None, consent_to_format: bool) -> None:
    """Write the debconf answers for an unattended installation of HOST."""
    text = preseed.text(host, load.load_file(site), secrets.load(secrets_file), format_lun=consent_to_format)
    place = out or Path(f"{host}.preseed")
    preseed.write(place, text)
    click.echo(place)


@nfsha.group("secrets")
def secrets_() -> None:
    """The CHAP secrets of a site."""


@secrets_.command()
@click.argument("file", type=FILE, default=Path("secrets"))
@files_errors
def init(file: Path) -> None:
    """Make FILE with new secrets, mode 0600; one that is there is never overwritten."""
    secrets.write_new(file, secrets.make())
    click.echo(f"{file}: made; keep it, it is not in the packages")


@nfsha.group()
def repo() -> None:
    """The apt repository."""


@repo.command("serve")
@click.argument("folder", type=FILE)
@click.option(
    "--bind", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all."
)
@click.option(
    "--port", metavar="PORT", default=8080, show_default=True, type=click.IntRange(0, 65535),
    help="Port to listen on; 0 for any that is free.",
)
@files_errors
def repo_serve(folder: Path, bind: str, port: int) -> None:
    """Serve FOLDER by HTTP until interrupted."""
    from nfsha_config.build import serve

    with serve.server(folder, bind, port) as server:
        host, taken = server.server_address[:2]
        click.echo(f"serving {folder} at http://{host!s}:{taken}/")
        server.serve_forever()


@nfsha.command()
@click.argument("package", type=PACKAGE)
@click.option(
    "--answers", "given", type=click.File("rb"), metavar="FILE",
    help="Lines of key=value; - is standard input.",
)
@files_errors
def configure(package: str, given: Any) -> None:
    """Make this machine what its site says.

    The installation of a package runs it; run it after an edit of /etc/nfsha/site.toml, too.
    """
    from nfsha_config.host import configure as host

    for line in host.configure(package, answers.read(given) if given else {}, Paths()):
        click.echo(line)


@nfsha.command()
@click.argument("package", type=PACKAGE)
@files_errors
def deconfigure(package: str) -> None:
    """Stop a package's services and take its rendered files away; the data stays."""
    from nfsha_config.host import configure as host

    host.deconfigure(package, Paths())


@nfsha.command()
@click.argument("package", type=PACKAGE)
@files_errors
def plan(package: str) -> None:
    """Show what `nfsha configure` would change on this machine, and what that costs a running cluster."""
    from nfsha_config.host import configure as host

    for line in host.plan(package, Paths()):
        click.echo(line)


@nfsha.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@files_errors
def status(as_json: bool) -> None:
    """Show what each node of this cluster says of itself.

    The exit status is 1 when not exactly one node serves.
    """
    from nfsha_config.host import overview

    seen = overview.look(Paths())
    click.echo(overview.as_json(seen) if as_json else overview.as_text(seen))
    serving = overview.serving(seen)
    if len(serving) != 1:
        if serving:
            raise NfshaError(f"more than one node says that it serves: {', '.join(serving)}; ask again in some seconds")
        raise NfshaError("no node serves; on a node that should: systemctl status nfsha-storage nfsha-health")


@nfsha.command()
@files_errors
def switchover() -> None:
    """Let another node serve; it is looked at first. Works on any node."""
    from nfsha_config.host import switchover as step

    click.echo(f"{step.request(Paths())} serves now")


@nfsha.command()
@click.argument("switch", type=click.Choice(["on", "off"]))
@files_errors
def maintenance(switch: str) -> None:
    """Keep this node from serving, or let it take part again.

    on: the service is handed over first, if this node has it. It stays on after a reboot, until off.
    """
    from nfsha_config.host import maintenance as step

    if switch == "on":
        step.begin(Paths())
        click.echo("this node does not serve until: nfsha maintenance off")
    else:
        click.echo("this node takes part again" if step.end(Paths()) else "this node was not in maintenance")


@nfsha.command("history")
@files_errors
def history_() -> None:
    """Show the takeovers of this cluster, the oldest first."""
    from nfsha_config.host import history

    for entry in history.entries(Paths().shared("history")):
        click.echo(entry.line)


@nfsha.group()
def host() -> None:
    """The steps that systemd units run on a machine of the cluster."""


@host.command()
@files_errors
def preflight() -> None:
    """Check that the kernel has what a node needs."""
    from nfsha_config.host import preflight as step

    step.main(Paths())


@host.command()
@files_errors
def storage() -> None:
    """Bring the shared LUN up; prepare it once, with consent."""
    from nfsha_config.host import storage as step

    step.main(Paths())


@host.command()
@files_errors
def journals() -> None:
    """Keep the journals of the shared volumes out of the page cache, until stopped."""
    from nfsha_config.host import journals as step

    step.main(Paths())


@host.command()
@files_errors
def names() -> None:
    """Commit names and attributes on the data as soon as they are made, until stopped."""
    from nfsha_config.host import names as step

    step.main(Paths())


@host.command()
@files_errors
def clients() -> None:
    """Call the clients back after a takeover, and list them, until stopped."""
    from nfsha_config.host import clients as step

    step.main(Paths())


@host.command()
@files_errors
def fence() -> None:
    """Watch the other node, and keep it from the disk when it is gone, until stopped."""
    from nfsha_config.host import guard as step

    step.main(Paths())


@host.command()
@files_errors
def health() -> None:
    """Judge whether this node can serve, until stopped."""
    from nfsha_config.host import health as step

    step.main(Paths())


@host.command()
@files_errors
def report() -> None:
    """Report what this node is to the others, until stopped."""
    from nfsha_config.host import report as step

    step.main(Paths())


@host.command("hand-over")
@files_errors
def hand_over() -> None:
    """Let another node serve, and stand by."""
    from nfsha_config.host import switchover as step

    step.hand_over(Paths())


@host.command()
@files_errors
def logout() -> None:
    """End the iSCSI session."""
    from nfsha_config.host import storage as step

    step.logout(Paths())


@host.command()
@files_errors
def target() -> None:
    """Check the LUN's device, and give it to tgtd."""
    from nfsha_config.host import target as step

    step.main(Paths())
