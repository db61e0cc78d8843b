package instanseg.export.protocol;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;

/** The memory of this process, heap and native together, in MB of 10^6 bytes; empty where the system cannot tell. */
public final class ProcessMemory {

    private static final Path STATUS = Path.of("/proc/self/status");

    private ProcessMemory() {}

    /** The most that it has held. */
    public static OptionalDouble peak() {
        return read("VmHWM:");
    }

    /** What it holds now. */
    public static OptionalDouble current() {
        return read("VmRSS:");
    }

    private static OptionalDouble read(String key) {
        if (!Files.isReadable(STATUS)) {
            return OptionalDouble.empty();
        }
        try {
            return Files.readAllLines(STATUS).stream()
                    .filter(line -> line.startsWith(key))
                    .mapToDouble(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024 / 1e6)
                    .findFirst();
        } catch (IOException error) {
            return OptionalDouble.empty();
        }
    }
}
