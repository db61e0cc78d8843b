package instanseg.export.protocol;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;

/** The .npz format of numpy: named arrays in a zip. */
public final class Npz {

    private static final String ENDING = ".npy";

    private Npz() {}

    /**
     * Reads all arrays, in the file's order.
     *
     * @throws IOException if the file is missing, damaged, or holds what {@link Npy} cannot read
     */
    public static Map<String, NumpyArray> read(Path path) throws IOException {
        Map<String, NumpyArray> arrays = new LinkedHashMap<>();
        try (ZipFile zip = new ZipFile(path.toFile())) {
            for (ZipEntry entry : (Iterable<ZipEntry>) zip.stream().map(ZipEntry.class::cast)::iterator) {
                try (InputStream stream = zip.getInputStream(entry)) {
                    arrays.put(withoutEnding(entry.getName()), Npy.read(stream));
                }
            }
        }
        return arrays;
    }

    /** Writes arrays without compressing them. */
    public static void write(Path path, Map<String, NumpyArray> arrays) throws IOException {
        try (ZipOutputStream zip = new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(path)))) {
            zip.setLevel(Deflater.NO_COMPRESSION);
            for (Map.Entry<String, NumpyArray> array : arrays.entrySet()) {
                zip.putNextEntry(new ZipEntry(array.getKey() + ENDING));
                Npy.write(zip, array.getValue());
                zip.closeEntry();
            }
        }
    }

    private static String withoutEnding(String name) {
        return name.endsWith(ENDING) ? name.substring(0, name.length() - ENDING.length()) : name;
    }
}
