package instanseg.export.djl;

import instanseg.export.protocol.Session;
import instanseg.export.testing.RobustnessContract;
import java.nio.file.Path;

class RobustnessTest extends RobustnessContract {

    @Override
    protected Session open(Path folder) throws Exception {
        return DjlSession.open(folder.resolve("instanseg.pt"));
    }
}
