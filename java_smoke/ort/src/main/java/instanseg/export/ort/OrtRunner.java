package instanseg.export.ort;

import instanseg.export.protocol.Runner;

/** Runs an ONNX file in ONNX Runtime; see {@link Runner} for the protocol. */
public final class OrtRunner {

    private OrtRunner() {}

    /** The program; the system property {@code runtime} is the name to report. */
    public static void main(String[] arguments) {
        Runner.main(System.getProperty("runtime", "onnxruntime_java"), OrtModel::open, arguments);
    }
}
