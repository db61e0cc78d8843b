package instanseg.export.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The .npy and .npz formats. That numpy reads and writes the same is shown by every test that compares with Python. */
class NpyTest {

    /** What numpy 2 writes for np.array([[1.5, -2.0]], dtype=np.float32). */
    private static byte[] numpyFile(String descr, String order, String shape, byte[] data) {
        String header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
        String padded = header + " ".repeat(117 - header.length()) + "\n";
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0});
        out.writeBytes(padded.getBytes(StandardCharsets.US_ASCII));
        out.writeBytes(data);
        return out.toByteArray();
    }

    private static final byte[] FLOATS = {0, 0, (byte) 0xC0, 0x3F, 0, 0, 0, (byte) 0xC0};

    private static NumpyArray read(byte[] file) throws IOException {
        return Npy.read(new ByteArrayInputStream(file));
    }

    @Test
    void readsWhatNumpyWrites() throws IOException {
        NumpyArray array = read(numpyFile("<f4", "False", "(1, 2)", FLOATS));
        assertArrayEquals(new long[] {1, 2}, array.shape());
        assertArrayEquals(new float[] {1.5f, -2.0f}, array.floats());
        assertEquals(1, read(numpyFile("|b1", "False", "()", new byte[] {1})).at(0));
    }

    @Test
    void writesWhatNumpyWrites() throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Npy.write(out, NumpyArray.of(new float[] {1.5f, -2.0f}, 1, 2));
        assertEquals(0, (out.size() - FLOATS.length) % 64);
        assertEquals(read(numpyFile("<f4", "False", "(1, 2)", FLOATS)), read(out.toByteArray()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"<f8", ">f4", "|O", "<U3"})
    void namesATypeThatItDoesNotKnow(String descr) {
        String message = assertThrows(IOException.class, () -> read(numpyFile(descr, "False", "(1,)", new byte[64])))
                .getMessage();
        assertTrue(message.contains("elements of type " + descr + " are not supported"), message);
    }

    @Test
    void refusesWhatIsDamagedOrTooLarge() {
        byte[] whole = numpyFile("<f4", "False", "(1, 2)", FLOATS);
        assertMessage("1 bytes too early", Arrays.copyOf(whole, whole.length - 1));
        assertMessage("not a .npy file", "hello".getBytes(StandardCharsets.US_ASCII));
        assertMessage("Fortran order", numpyFile("<f4", "True", "(1, 2)", FLOATS));
        assertMessage("Java's buffers end at 2 GiB", numpyFile("<f4", "False", "(100000, 100000)", FLOATS));
        assertMessage("cannot be read", numpyFile("<f4", "False", "(9223372036854775807, 8)", FLOATS));
        assertMessage("header is not understood", numpyFile("<f4", "False", "(-1,)", FLOATS));
    }

    private static void assertMessage(String expected, byte[] file) {
        String message = assertThrows(IOException.class, () -> read(file)).getMessage();
        assertTrue(message.contains(expected), message);
    }

    @Test
    void keepsNamesAndOrderInAnNpz(@TempDir Path folder) throws IOException {
        Map<String, NumpyArray> arrays = new LinkedHashMap<>();
        arrays.put("stage.network", NumpyArray.of(new float[] {1, Float.NaN}, 2));
        arrays.put("empty", NumpyArray.zeros(ElementType.INT64, 0, 3));
        arrays.put("scalar", NumpyArray.zeros(ElementType.BOOL));
        Npz.write(folder.resolve("a.npz"), arrays);
        assertEquals(arrays, Npz.read(folder.resolve("a.npz")));
        assertEquals("[stage.network, empty, scalar]", Npz.read(folder.resolve("a.npz")).keySet().toString());
    }

    @Test
    void aCopySharesNothing() {
        NumpyArray array = NumpyArray.of(new float[] {1, 2}, 2);
        NumpyArray copy = array.copy();
        assertEquals(array, copy);
        array.data().putFloat(0, 3);
        assertNotEquals(array, copy);
    }
}
