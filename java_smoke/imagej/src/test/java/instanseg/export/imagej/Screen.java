package instanseg.export.imagej;

import com.github.caciocavallosilano.cacio.ctc.junit.CacioExtension;
import ij.ImageJ;
import ij.WindowManager;
import ij.plugin.frame.RoiManager;
import java.awt.GraphicsEnvironment;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Starts ImageJ on a screen in memory, and closes all images after each test. */
final class Screen implements BeforeAllCallback, AfterEachCallback {

    private static ImageJ imagej;

    @Override
    public synchronized void beforeAll(ExtensionContext context) {
        if (imagej == null) {
            new CacioExtension(); // Its static part installs the screen.
            if (GraphicsEnvironment.isHeadless()) {
                throw new IllegalStateException("There is no screen");
            }
            imagej = new ImageJ(ImageJ.NO_SHOW);
        }
    }

    @Override
    public void afterEach(ExtensionContext context) {
        int[] ids = WindowManager.getIDList();
        for (int id : ids == null ? new int[0] : ids) {
            // Closed as it is: a changed image would ask whether to save it, and nobody answers.
            WindowManager.getImage(id).changes = false;
            WindowManager.getImage(id).close();
        }
        if (RoiManager.getRawInstance() != null) {
            RoiManager.getRawInstance().reset();
        }
    }
}
