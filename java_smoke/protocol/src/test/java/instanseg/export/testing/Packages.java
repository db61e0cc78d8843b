package instanseg.export.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** The packages that {@code make_packages.py} writes, in the folder that INSTANSEG_EXPORT_PACKAGES names. */
public final class Packages {

    private static final String KEY = "INSTANSEG_EXPORT_PACKAGES";
    private static final String REMEDY = "Make the packages first: python java_smoke/make_packages.py";

    private Packages() {}

    /** The folder of the package of that name, one of {@link #all} or of those that need the shared checkpoints. */
    public static Path named(String name) {
        Path folder = root().resolve(name);
        if (!Files.isDirectory(folder.resolve("expected"))) {
            throw new IllegalStateException("There is no package " + folder + ". " + REMEDY);
        }
        return folder;
    }

    /** The folders of all packages; at least one. */
    public static List<Path> all() {
        return list(root(), path -> Files.isDirectory(path.resolve("expected")));
    }

    /** What Python finds with a package, apart from images that are larger than a tile. */
    public static List<Case> cases(Path folder) {
        return list(folder.resolve("expected"), path -> path.toString().endsWith(".npz")).stream()
                .map(Case::read)
                .toList();
    }

    /** One of {@link #cases}, by its name; {@code large/<name>} is an image that is larger than a tile. */
    public static Case expected(Path folder, String name) {
        return Case.read(folder.resolve("expected").resolve(name + ".npz"));
    }

    private static Path root() {
        String folder = System.getProperty(KEY, System.getenv(KEY));
        if (folder == null) {
            throw new IllegalStateException("The property " + KEY + " does not say where the packages are. " + REMEDY);
        }
        return Path.of(folder);
    }

    private static List<Path> list(Path folder, Predicate<Path> wanted) {
        if (!Files.isDirectory(folder)) {
            throw new IllegalStateException("There is no folder " + folder + ". " + REMEDY);
        }
        try (Stream<Path> paths = Files.list(folder)) {
            List<Path> found = paths.filter(wanted).sorted().toList();
            if (found.isEmpty()) {
                throw new IllegalStateException("There is nothing to test in " + folder + ". " + REMEDY);
            }
            return found;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
