"""Says how far a long step is: one moving line on a terminal, a few lines in a log."""
import sys
import time


class Progress:
    LOG_STEP = 25  # percent between two lines of a log

    def __init__(self, title):
        self._title = title
        self._started = time.monotonic()
        self._logged = 0
        self._width = 0
        self._terminal = sys.stdout.isatty()

    def show(self, percent, detail=""):
        """`percent` is 0 to 100."""
        if self._terminal:
            filled = int(percent / 5)
            line = f"{self._title:<18} [{'#' * filled}{'.' * (20 - filled)}] {percent:3.0f} %  {detail}"[:100]
            sys.stdout.write("\r" + line.ljust(self._width))
            self._width = len(line)
            sys.stdout.flush()
        elif percent >= self._logged + self.LOG_STEP:
            self._logged = percent - percent % self.LOG_STEP
            print(f"{self._title:<18} {percent:3.0f} %  {detail}", flush=True)

    def done(self, detail=""):
        seconds = time.monotonic() - self._started
        line = f"{self._title:<18} done in {seconds:.1f} s  {detail}"
        sys.stdout.write(("\r" + line.ljust(self._width) if self._terminal else line) + "\n")
        sys.stdout.flush()
