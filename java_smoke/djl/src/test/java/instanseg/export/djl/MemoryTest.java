package instanseg.export.djl;

import instanseg.export.protocol.Session;
import instanseg.export.testing.MemoryContract;
import java.nio.file.Path;

class MemoryTest extends MemoryContract {

    @Override
    protected Session open(Path folder) throws Exception {
        return DjlSession.open(folder.resolve("instanseg.pt"));
    }
}
