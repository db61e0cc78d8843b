package instanseg.export.protocol;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The .npy format of numpy, versions 1 to 3, for the types of {@link ElementType} in C order. */
public final class Npy {

    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final Pattern DESCR = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
    private static final Pattern FORTRAN = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
    private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([0-9,\\s]*)\\)");
    private static final int ALIGNMENT = 64;

    private Npy() {}

    /**
     * Reads one array.
     *
     * @throws IOException if the stream is no .npy, ends too early, or holds a type or an order that is not supported
     */
    public static NumpyArray read(InputStream stream) throws IOException {
        DataInputStream in = new DataInputStream(stream);
        byte[] magic = in.readNBytes(MAGIC.length);
        if (!Arrays.equals(magic, MAGIC)) {
            throw new IOException("this is not a .npy file");
        }
        int version = in.readUnsignedByte();
        in.readUnsignedByte();
        int length = version == 1 ? Short.toUnsignedInt(Short.reverseBytes(in.readShort())) : Integer.reverseBytes(in.readInt());
        if (length < 0 || length > 1 << 20) {
            throw new IOException("the .npy header is damaged: its length is " + length);
        }
        String header = new String(in.readNBytes(length), StandardCharsets.UTF_8);
        if (field(FORTRAN, header).equals("True")) {
            throw new IOException("the array is in Fortran order, which is not supported");
        }
        try {
            NumpyArray array = NumpyArray.zeros(ElementType.of(field(DESCR, header)), shape(field(SHAPE, header)));
            fill(array.data().duplicate(), in);
            return array;
        } catch (IllegalArgumentException | ArithmeticException error) {
            throw new IOException("the array cannot be read: " + error.getMessage(), error);
        }
    }

    /** Writes one array. */
    public static void write(OutputStream stream, NumpyArray array) throws IOException {
        String sizes = Arrays.stream(array.shape()).mapToObj(size -> size + ",").collect(Collectors.joining(" "));
        String header =
                "{'descr': '" + array.type().descr() + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
        int before = MAGIC.length + 4;
        int padding = ALIGNMENT - (before + header.length() + 1) % ALIGNMENT;
        byte[] padded = (header + " ".repeat(padding % ALIGNMENT) + "\n").getBytes(StandardCharsets.US_ASCII);
        stream.write(MAGIC);
        stream.write(new byte[] {1, 0, (byte) padded.length, (byte) (padded.length >> 8)});
        stream.write(padded);
        Channels.newChannel(stream).write(array.data().duplicate().rewind());
    }

    private static String field(Pattern pattern, String header) throws IOException {
        Matcher matcher = pattern.matcher(header);
        if (!matcher.find()) {
            throw new IOException("the .npy header is not understood: " + header.strip());
        }
        return matcher.group(1);
    }

    private static long[] shape(String sizes) {
        return Arrays.stream(sizes.split(","))
                .map(String::strip)
                .filter(size -> !size.isEmpty())
                .mapToLong(Long::parseLong)
                .toArray();
    }

    private static void fill(ByteBuffer buffer, InputStream stream) throws IOException {
        ReadableByteChannel channel = Channels.newChannel(stream);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException("the array ends " + buffer.remaining() + " bytes too early");
            }
        }
    }
}
