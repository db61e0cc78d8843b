package instanseg.export.ort;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Collection;

/**
 * Makes tensors inside of an ONNX graph further outputs of it, so that a session returns them.
 *
 * <p>A parser of protocol buffers that meets a message field twice merges the two, and a repeated field in both grows by
 * the second's elements: that is in the format's specification. So a second {@code ModelProto.graph} at the end of the
 * file, with nothing but outputs in it, adds them to the first.
 */
final class FurtherOutputs {

    private static final int MODEL_GRAPH = 7;
    private static final int GRAPH_OUTPUT = 12;
    private static final int VALUE_NAME = 1;
    private static final int LENGTH_DELIMITED = 2;

    private FurtherOutputs() {}

    /** Returns the model with the tensors of these names as outputs, after those that it has. */
    static byte[] add(byte[] model, Collection<String> names) {
        ByteArrayOutputStream graph = new ByteArrayOutputStream();
        for (String name : names) {
            ByteArrayOutputStream value = new ByteArrayOutputStream();
            writeField(value, VALUE_NAME, name.getBytes(StandardCharsets.UTF_8));
            writeField(graph, GRAPH_OUTPUT, value.toByteArray());
        }
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        whole.writeBytes(model);
        writeField(whole, MODEL_GRAPH, graph.toByteArray());
        return whole.toByteArray();
    }

    private static void writeField(ByteArrayOutputStream out, int number, byte[] content) {
        writeVarint(out, number << 3 | LENGTH_DELIMITED);
        writeVarint(out, content.length);
        out.writeBytes(content);
    }

    private static void writeVarint(ByteArrayOutputStream out, int value) {
        int rest = value;
        while (rest > 0x7F) {
            out.write(rest & 0x7F | 0x80);
            rest >>>= 7;
        }
        out.write(rest);
    }
}
