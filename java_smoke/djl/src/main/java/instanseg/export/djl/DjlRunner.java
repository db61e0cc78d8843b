package instanseg.export.djl;

import instanseg.export.protocol.Runner;

/** Runs a TorchScript file in DJL's PyTorch engine; see {@link Runner} for the protocol. */
public final class DjlRunner {

    private DjlRunner() {}

    /** The program; the system property {@code runtime} is the name to report. */
    public static void main(String[] arguments) {
        Runner.main(System.getProperty("runtime", "djl"), DjlSession::open, arguments);
    }
}
