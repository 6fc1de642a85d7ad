"""The laboratory from the command line; parses and prints, the work is elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import click

from nfsha_lab import snapshots
from nfsha_lab.bench import report
from nfsha_lab.bench import run as rounds_of
from nfsha_lab.bench.events import EVENTS
from nfsha_lab.bench.packages import PACKAGES
from nfsha_lab.bench.results import Results
from nfsha_lab.demo import demonstrate
from nfsha_lab.errors import LabError, ProductError
from nfsha_lab.folders import Folders
from nfsha_lab.image import RELEASES
from nfsha_lab.lab import RELEASE, Lab, attach, open_lab
from nfsha_lab.load import Load
from nfsha_lab.log import say, step
from nfsha_lab.logs import collect
from nfsha_lab.up import installed, running

# Whose fault it was, as autopkgtest says it: 4 what is tried, 16 what tries it.
EXIT_PRODUCT = 4
EXIT_LAB = 16


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--name", help="Which laboratory, if several are up [default: $NFSHA_LAB_NAME, or lab].")
@click.pass_context
def cli(context: click.Context, name: str | None) -> None:
    """Four real Debian machines in QEMU: iscsi, nfs1, nfs2, client."""
    context.obj = Folders.of_environment(name)


def _attached(context: click.Context) -> Lab:
    return attach(context.find_object(Folders) or Folders.of_environment())


@cli.command()
@click.option("--release", type=click.Choice(tuple(RELEASES)), default=RELEASE, show_default=True)
@click.pass_obj
def up(folders: Folders, release: str) -> None:
    """Bring up the whole cluster: images, packages, repository, installation by apt, mounts, a client that writes."""
    cluster = installed(folders, release)
    click.echo(f"\n{cluster.table()}\n")
    load = Load(cluster, "up")
    load.start()
    click.echo(f"The client writes: {load.status()}")
    load.stop_and_check()
    click.echo("Go on with: scripts/lab demo, scripts/lab ssh nfs1, scripts/lab crash nfs1, scripts/lab down")


@cli.command()
@click.option("--release", type=click.Choice(tuple(RELEASES)), default=RELEASE, show_default=True)
@click.pass_obj
def demo(folders: Folders, release: str) -> None:
    """Crash the serving node under a client that writes, and watch; brings the cluster up first where it is not."""
    cluster = running(folders) or installed(folders, release)
    click.echo(f"\n{cluster.table()}\n")
    demonstrate(cluster)
    click.echo(f"\n{cluster.table()}")


@cli.command()
@click.option("--rounds", type=click.IntRange(1, 99), default=5, show_default=True, help="Of each contender and event.")
@click.option("--system", "systems", multiple=True, type=click.Choice(list(rounds_of.TITLES)), help="Only this.")
@click.option("--event", "events", multiple=True, type=click.Choice(list(EVENTS)), help="Only this one.")
@click.option("--results", type=click.Path(file_okay=False, path_type=Path), help="[default: bench, in the cache]")
@click.option("--continue", "published", type=click.Path(dir_okay=False, path_type=Path), help="Count its rounds, too.")
@click.option("--retry", is_flag=True, help="Play failed rounds again.")
@click.option("--report", "out", type=click.Path(file_okay=False, path_type=Path), help="Write the report there.")
@click.option("--no-run", is_flag=True, help="Play nothing; only report.")
@click.pass_obj
def bench(
    folders: Folders,
    rounds: int,
    systems: tuple[str, ...],
    events: tuple[str, ...],
    results: Path | None,
    published: Path | None,
    retry: bool,
    out: Path | None,
    no_run: bool,
) -> None:
    """Measure nfsha beside Pacemaker, the proof of concept and a single server; goes on where it was interrupted."""
    kept = Results(results or folders.cache / "bench")
    if published:
        kept.adopt(published)
    if not no_run:
        names, kinds = systems or tuple(rounds_of.CONTENDERS), events or tuple(EVENTS)
        lab = open_lab(folders, more=PACKAGES)
        rounds_of.bench(lab, kept, rounds_of.plan(kept, lab.image.key, names, kinds, rounds, retry))
    if out:
        report.write(kept, out)


@cli.command()
@click.option("--release", type=click.Choice(tuple(RELEASES)), default=RELEASE, show_default=True)
@click.option("--keep/--no-keep", default=True, show_default=True, help="Use and keep a state saved after the boot.")
@click.pass_obj
def boot(folders: Folders, release: str, keep: bool) -> None:
    """Boot the four machines as plain Debian, from the last boot's saved state if there is one."""
    lab = open_lab(folders, release)
    if any(machine.running for machine in lab.all):
        lab = attach(folders)
        lab.boot()
    elif not (keep and snapshots.recall(lab, "booted")):
        lab.fresh()
        lab.boot()
        if keep:
            snapshots.keep(lab, "booted")
    _table(lab)


def ssh_command(lab: Lab, host: str, command: tuple[str, ...]) -> list[str]:
    """The ssh call that leads into a machine as root, over its management network."""
    # fmt: off
    options = [
        "-i", os.fspath(lab.key), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
        "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
    ]
    # fmt: on
    return ["ssh", *options, "-p", str(lab[host].qemu.ssh_port()), "root@127.0.0.1", *command]


@cli.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("host")
@click.argument("command", nargs=-1)
@click.pass_context
def ssh(context: click.Context, host: str, command: tuple[str, ...]) -> None:
    """Log in to a machine as root, or run a command in it."""
    done = subprocess.run(ssh_command(_attached(context), host, command), check=False)
    context.exit(done.returncode)


@cli.command()
@click.argument("host")
@click.argument("command")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds the command may take.")
@click.pass_context
def run(context: click.Context, host: str, command: str, timeout: float) -> None:
    """Run a shell command in a machine, without any network."""
    done = _attached(context)[host].run(command, timeout)
    sys.stdout.write(done.out)
    sys.stderr.write(done.err)
    context.exit(done.status)


@cli.command()
@click.argument("host")
@click.pass_context
def crash(context: click.Context, host: str) -> None:
    """Cut a machine's power."""
    _attached(context)[host].crash()


@cli.command()
@click.argument("host")
@click.pass_context
def start(context: click.Context, host: str) -> None:
    """Switch a machine on again and wait until it has booted."""
    lab = _attached(context)
    with step(f"booting {host}"):
        lab[host].start()
        say(lab[host].wait_until_booted())


@cli.command()
@click.argument("host")
@click.pass_context
def freeze(context: click.Context, host: str) -> None:
    """Stop a machine in mid-instruction."""
    _attached(context)[host].freeze()


@cli.command()
@click.argument("host")
@click.pass_context
def thaw(context: click.Context, host: str) -> None:
    """Let a frozen machine go on."""
    _attached(context)[host].thaw()


@cli.command()
@click.argument("host")
@click.argument("other", required=False)
@click.option("--one-way", is_flag=True, help="Lose only what HOST sends.")
@click.pass_context
def cut(context: click.Context, host: str, other: str | None, one_way: bool) -> None:
    """Cut a machine off from all others, or from one."""
    lab = _attached(context)
    lab.network.cut(lab[host].name, lab[other].name if other else None, one_way)


@cli.command()
@click.argument("host")
@click.argument("other", required=False)
@click.pass_context
def join(context: click.Context, host: str, other: str | None) -> None:
    """Undo what cut did."""
    lab = _attached(context)
    lab.network.join(lab[host].name, lab[other].name if other else None)


@cli.command()
@click.argument("name")
@click.pass_context
def save(context: click.Context, name: str) -> None:
    """Save the state of all machines, together."""
    snapshots.save(_attached(context), name)


@cli.command()
@click.argument("name")
@click.pass_context
def restore(context: click.Context, name: str) -> None:
    """Bring all machines back to a saved state."""
    snapshots.restore(_attached(context), name)


@cli.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("lab-logs"))
@click.pass_context
def logs(context: click.Context, folder: Path) -> None:
    """Collect consoles and journals of all machines in a folder."""
    with step(f"collecting logs in {folder}"):
        collect(_attached(context), folder)


@cli.command()
@click.pass_context
def status(context: click.Context) -> None:
    """Show the machines and the faults of their network."""
    _table(_attached(context))


def _table(lab: Lab) -> None:
    # Without its switch, as after a reboot of the host, no machine is plugged in either.
    up = lab.network.daemon.pid is not None
    network = lab.network.status() if up else {"ports": {}, "faults": []}
    click.echo(f"{'machine':8} {'state':8} {'pid':>8}  {'address':16} {'network':8}")
    for machine in lab.all:
        plugged = "plugged" if network["ports"].get(machine.name, {}).get("plugged") else "-"
        pid = machine.qemu.daemon.pid or "-"
        click.echo(f"{machine.name:8} {machine.state:8} {pid:>8}  {machine.address:16} {plugged:8}")
    for source, target, quality in network["faults"]:
        kind = "cut" if quality["cut"] else f"loss {quality['loss']:g}, delay {quality['delay']:g} s"
        click.echo(f"fault: {source} -> {target}: {kind}")


@cli.command()
@click.pass_context
def down(context: click.Context) -> None:
    """Switch everything off and forget the machines' disks (images and kept states stay)."""
    _attached(context).down()


def main() -> None:
    """Run the command; what a person can mend is told without a traceback."""
    try:
        cli.main(prog_name="lab")
    except LabError as error:
        click.echo(f"lab: {error}", err=True)
        sys.exit(EXIT_PRODUCT if isinstance(error, ProductError) else EXIT_LAB)
