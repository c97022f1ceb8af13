"""What a run of the benchmark is to do."""
import dataclasses
import pathlib

MODES = ("spare", "full")  # a processor is to spare for those who poll; every processor computes


@dataclasses.dataclass(frozen=True)
class Settings:
    folder: pathlib.Path  # of everything that is written, but for random models
    model_folder: pathlib.Path  # of these
    processors: int
    threads: int  # of every contender, where a processor is to spare
    backend: str = "cpu"  # the host's
    rounds: int = 5
    repetitions: int = 1  # of each test of tokens per second within one program, which says their mean
    prompt: tuple = (512,)  # tokens of the prompt tests, pp
    generate: int = 128  # tokens of the generation test, tg
    tokens: int = 0  # of the endurance test; 0 leaves it out
    idle_seconds: float = 5
    models: tuple = ()  # GGUF files for tokens per second; none: the demo model and random ones
    contenders: tuple = ()  # of tokens per second and loading; none: all
    variants: tuple = ()  # of tokens per second; none: all
    quick: bool = False  # only to see that everything works

    def measures(self, contender):
        return not self.contenders or contender.name in self.contenders

    @property
    def logs(self):
        return self.folder / "logs"

    def threads_in(self, mode):
        return {"spare": self.threads, "full": self.processors}[mode]
