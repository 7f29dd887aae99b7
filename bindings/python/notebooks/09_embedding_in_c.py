# From the notebook to a C program: a network trained here, its weights inside an executable, compiled and compared bit for bit.
# %% [labels]
# en = lt
# accuracy on digits by other hands: = tikslumas su kitų žmonių rašytais skaitmenimis:
# epoch = epocha
# loss = nuostolis
# training = mokymas
# validation = tikrinimas
# header: = antraštė:
# library: = biblioteka:
# lines of C: = C eilučių:
# bytes of weights: = svorių baitai:
# bytes of the program: = programos baitai:
# bytes of the library: = bibliotekos baitai:
# equal logits: = vienodi logitai:
# of = iš
# as C names them = kaip juos įvardija C programa
# milliseconds = milisekundės
# Python starts and predicts = Python paleidžiamas ir spėja
# C starts and predicts = C programa paleidžiama ir spėja
# a damaged file: = sugadintas failas:
# a missing file: = nesantis failas:
# [count, 1, 28, 28] of bytes -> [count, 1, 32, 32] as the network takes it. = Baitų [kiekis, 1, 28, 28] -> [kiekis, 1, 32, 32], kokių reikia tinklui.
# %% [markdown] en
# # From the notebook to a C program
#
# A notebook is a good place to train a network and a bad place to use it. What uses it in the end is often a program that knows no
# Python: a scanner's firmware, a measuring device, a server in C++. Sasuka is one shared library of less than a megabyte behind one C
# header, and the Python package only calls it, so the program gets *the same* network: the same code computes, and
# every bit of the result must agree. In this notebook we
#
# 1. train LeNet-5 (LeCun et al. 1998) on handwritten digits and save the weights,
# 2. turn the weights into an array of a C source,
# 3. write a C program that reads pictures, prepares them as the authors did, and names the digits,
# 4. compile it against the header and the library that the package carries,
# 5. compare its logits with Python's bit for bit, and its start with Python's.
# %% [markdown] lt
# # Iš sąsiuvinio į C programą
#
# Sąsiuvinyje tinklą patogu mokyti, bet nepatogu naudoti. Galiausiai jį dažnai naudoja programa, kuri Python nemoka: skaitytuvo
# programinė įranga, matavimo prietaisas, C++ serveris. Sasuka yra viena mažesnė nei megabaito dinaminė biblioteka su viena C antrašte,
# o Python paketas ją tik kviečia, todėl programa gauna *tą patį* tinklą: skaičiuoja tas pats kodas, ir turi sutapti
# kiekvienas rezultato bitas. Šiame sąsiuvinyje
#
# 1. išmokysime LeNet-5 (LeCun ir kt. 1998) atpažinti ranka rašytus skaitmenis ir įrašysime svorius,
# 2. svorius paversime C programos masyvu,
# 3. parašysime C programą, kuri skaito vaizdus, paruošia juos taip, kaip darė autoriai, ir įvardija skaitmenis,
# 4. sukompiliuosime ją su antrašte ir biblioteka, kurias atsineša paketas,
# 5. jos logitus po bitą palyginsime su Python logitais, o jos paleidimą – su Python paleidimu.
# %%
import shutil
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import sasuka
from sasuka import plots, samples

plots.set_language("en")
# %% [markdown] en
# ## The network
#
# LeNet-5 takes pictures of 32 × 32. Its preprocessing is data of the architecture: digits of 28 × 28 get a frame, and their levels are
# scaled so that white is −0.1 and black 1.175, as LeCun and colleagues did in 1998; their mean is then about 0 and
# their variance about 1. Two convolutions of 5 × 5, two poolings, three fully connected layers:
#
# $$61\,706 = \underbrace{6 \cdot 26}_{\text{conv1}} + \underbrace{16 \cdot 151}_{\text{conv2}} + \underbrace{120 \cdot 401}_{\text{fc1}}
# + \underbrace{84 \cdot 121}_{\text{fc2}} + \underbrace{10 \cdot 85}_{\text{fc3}}\ \text{ weights.}$$
# %% [markdown] lt
# ## Tinklas
#
# LeNet-5 tinka 32 × 32 vaizdams. Pirminis apdorojimas yra architektūros duomenys: 28 × 28 skaitmenys gauna rėmelį, o jų ryškumas
# pervedamas į tokią skalę, kad balta būtų −0,1, o juoda 1,175, kaip 1998 m. darė LeCun su bendraautoriais; tada vidurkis maždaug 0, o
# dispersija maždaug 1. Dvi 5 × 5 sąsūkos, du sutelkimo sluoksniai, trys visiškai sujungti sluoksniai:
#
# $$61\,706 = \underbrace{6 \cdot 26}_{\text{conv1}} + \underbrace{16 \cdot 151}_{\text{conv2}} + \underbrace{120 \cdot 401}_{\text{fc1}}
# + \underbrace{84 \cdot 121}_{\text{fc2}} + \underbrace{10 \cdot 85}_{\text{fc3}}\ \text{ svoriai.}$$
# %%
model = sasuka.create_model("lenet5", seed=1)
print(model.preprocessing())
training, testing = samples.digits(), samples.digits(train=False)


def prepared(dataset):
    """[count, 1, 28, 28] of bytes -> [count, 1, 32, 32] as the network takes it."""
    return model.preprocess(dataset.pictures.transpose(0, 2, 3, 1))


train = prepared(training), training.targets()
test = prepared(testing), testing.targets()
learner = sasuka.Learner(model, train, valid=test, batch_size=32, progress=False)
learner.fit_one_cycle(12, 4e-3)
print("accuracy on digits by other hands:", round(learner.evaluate().accuracy, 3))
ax = plt.subplots(figsize=(6, 3), layout="constrained")[1]
epochs = np.arange(1, len(learner.history) + 1)
ax.plot(epochs, learner.history.column("train_loss"), marker="o", label="training")
ax.plot(epochs, learner.history.column("valid_loss"), marker="o", label="validation")
ax.set_xlabel("epoch")
ax.set_ylabel("loss")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
# %% [markdown] en
# What it has learnt to look for: the six kernels of the first convolution, and what they make of one digit.
# %% [markdown] lt
# Ko jis išmoko ieškoti: šeši pirmosios sąsūkos branduoliai ir tai, ką jie padaro iš vieno skaitmens.
# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
plots.filters(model, "conv1", axes[0])
plots.feature_maps(model, test[0][0], "tanh1", axes[1])
plt.show()
# %% [markdown] en
# ## Weights as C source
#
# `save_weights()` without a path returns the bytes of a safetensors file. An array of them in a header makes them part of the program:
# nothing has to be found, opened or shipped beside it. Whatever the library loads from a file it also loads from memory.
# %% [markdown] lt
# ## Svoriai kaip C kodas
#
# `save_weights()` be kelio grąžina safetensors failo baitus. Surašyti į antraštės masyvą jie tampa programos dalimi: nieko nereikia
# nei ieškoti, nei atverti, nei siųsti kartu. Ką biblioteka įkelia iš failo, tą gali įkelti ir iš atminties.
# %%
weights = model.save_weights()
lines = [",".join(map(str, weights[start : start + 32])) for start in range(0, len(weights), 32)]
Path("weights.h").write_text("static const unsigned char weights[] = {\n" + ",\n".join(lines) + "\n};\n")
print("bytes of weights:", f"{len(weights):,}")
# %% [markdown] en
# ## The program
#
# It reads pictures of 28 × 28 bytes from a file, as they come from the scanner, and writes ten logits for each to another; on the
# screen it shows the first picture and the names of all. The whole of what it needs from Sasuka:
#
# | | |
# |---|---|
# | `sasuka_model_create` | the network by its name |
# | `sasuka_model_load_weights_from_memory` | the array above; checked as strictly as a file |
# | `sasuka_architecture_preprocessing`, `sasuka_preprocess` | from bytes to the input, with the authors' numbers |
# | `sasuka_model_forward` | the logits |
#
# Every call returns a status, and `sasuka_last_error()` says what was wrong. The library never prints and never ends the program.
# %% [markdown] lt
# ## Programa
#
# Ji iš failo skaito 28 × 28 baitų vaizdus, tokius, kokius duoda skaitytuvas, ir į kitą failą kiekvienam rašo dešimt logitų; ekrane
# parodo pirmąjį vaizdą ir visų pavadinimus. Štai viskas, ko jai reikia iš Sasuka:
#
# | | |
# |---|---|
# | `sasuka_model_create` | tinklas pagal vardą |
# | `sasuka_model_load_weights_from_memory` | anksčiau parodytas masyvas; tikrinamas taip pat griežtai kaip failas |
# | `sasuka_architecture_preprocessing`, `sasuka_preprocess` | nuo baitų iki įvesties, su autorių skaičiais |
# | `sasuka_model_forward` | logitai |
#
# Kiekvienas kreipinys grąžina būseną, o `sasuka_last_error()` pasako, kas buvo negerai. Biblioteka niekada nieko nespausdina ir niekada
# nenutraukia programos.
# %%
PROGRAM = r"""
#include <sasuka.h>
#include <stdio.h>
#include <stdlib.h>

#include "weights.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, NET = 32, CLASSES = 10, MOST = 1000 };

static unsigned char pixels[MOST * PIXELS];
static float input[MOST * NET * NET], logits[MOST * CLASSES];

/* Once a call has failed, the others are skipped. */
static sasuka_status status;
#define TRY(call) if (status == SASUKA_OK) status = (call)

static int fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  return EXIT_FAILURE;
}

int main(int argc, char **argv) {
  if (argc != 3) return fail("usage", "digits PICTURES LOGITS");
  FILE *file = fopen(argv[1], "rb");
  if (!file) return fail(argv[1], "cannot be read");
  size_t count = fread(pixels, PIXELS, MOST, file);
  fclose(file);
  if (count == 0) return fail(argv[1], "holds no picture of 28 x 28 bytes");

  sasuka_model *model = NULL;
  sasuka_preprocessing preprocessing;
  sasuka_preprocessing_init(&preprocessing, sizeof preprocessing);
  TRY(sasuka_model_create("lenet5", NULL, &model));
  TRY(sasuka_model_load_weights_from_memory(model, weights, sizeof weights, NULL));
  TRY(sasuka_architecture_preprocessing("lenet5", NULL, &preprocessing));

  static sasuka_picture pictures[MOST];
  for (size_t i = 0; i < count; i++) pictures[i] = (sasuka_picture){pixels + i * PIXELS, SIDE, SIDE, 1, 0};
  const int64_t in[] = {(int64_t)count, 1, NET, NET}, out[] = {(int64_t)count, CLASSES};
  sasuka_tensor x = {input, SASUKA_FLOAT32, 4, in, NULL}, y = {logits, SASUKA_FLOAT32, 2, out, NULL};
  TRY(sasuka_preprocess(&preprocessing, pictures, count, &x));
  TRY(sasuka_model_forward(model, &x, &y));
  sasuka_model_destroy(model);
  if (status != SASUKA_OK) return fail(sasuka_status_name(status), sasuka_last_error());

  for (int row = 0; row < SIDE; row += 2) {
    for (int column = 0; column < SIDE; column++) putchar(" .:*#"[pixels[row * SIDE + column] * 5 / 256]);
    putchar('\n');
  }
  for (size_t i = 0; i < count; i++) {
    const float *row = logits + i * CLASSES;
    int best = 0;
    for (int k = 1; k < CLASSES; k++) if (row[k] > row[best]) best = k;
    printf("%d%s", best, i % 60 == 59 || i + 1 == count ? "\n" : "");
  }

  file = fopen(argv[2], "wb");
  if (!file || fwrite(logits, sizeof(float) * CLASSES, count, file) != count) return fail(argv[2], "cannot be written");
  return fclose(file) ? fail(argv[2], "cannot be written") : EXIT_SUCCESS;
}
"""
Path("digits.c").write_text(PROGRAM)
print("lines of C:", PROGRAM.strip().count("\n") + 1)
# %% [markdown] en
# ## Compiling
#
# The package says where its header and its library are. `-rpath` writes the library's folder into the program, so that it is found there
# when the program starts; an installed program would name a folder of the system instead. Every warning is an error.
# %% [markdown] lt
# ## Kompiliavimas
#
# Kur antraštė ir biblioteka, pasako pats paketas. `-rpath` bibliotekos aplanką įrašo į programą, kad paleista ji biblioteką ten ir rastų;
# įdiegta programa vietoj jo nurodytų sistemos aplanką. Kiekvienas įspėjimas laikomas klaida.
# %%
include, library = sasuka.include_path(), sasuka.library_path()
compiler = next(name for name in ("cc", "gcc", "clang") if shutil.which(name))
print("header:", include.name + "/sasuka.h")
print("library:", library.name)
command = [compiler, "-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "digits.c", "-o", "digits"]
command += [f"-I{include}", f"-L{library.parent}", "-lsasuka", f"-Wl,-rpath,{library.parent}"]
subprocess.run(command, check=True)
print("bytes of the program:", f"{Path('digits').stat().st_size:,}")
print("bytes of the library:", f"{library.stat().st_size:,}")
# %% [markdown] en
# ## Running, and the comparison
#
# The 360 digits of the test set, written by people from whom the network has seen nothing.
# %% [markdown] lt
# ## Paleidimas ir palyginimas
#
# 360 testavimo skaitmenų, kuriuos rašė žmonės, iš kurių tinklas nieko nėra matęs.
# %%
Path("pictures.bin").write_bytes(testing.pictures.tobytes())
done = subprocess.run(["./digits", "pictures.bin", "logits.bin"], capture_output=True, text=True, check=True)
print(done.stdout)
# %%
of_c = np.fromfile("logits.bin", dtype=np.float32).reshape(-1, 10)
of_python = model(test[0])
equal = of_c.view(np.uint32) == of_python.view(np.uint32)
print("equal logits:", equal.sum(), "of", equal.size)
assert equal.all()
# %% [markdown] en
# Not *close*: equal, all 3,600 of them as 32-bit patterns. Two things make it so. The same machine code computes both, and the
# order of every sum is fixed by the network's shape, not by the number of threads. On a machine with other vector instructions the last bits may
# differ from ours, but there, too, C and Python agree.
# %% [markdown] lt
# Ne *panašūs*, o vienodi: visi 3 600 logitų kaip 32 bitų sekos. Taip yra dėl dviejų dalykų. Abu kartus skaičiuoja tas pats mašininis kodas, o
# kiekvienos sumos tvarką lemia tinklo forma, ne gijų skaičius. Kompiuteryje su kitomis vektorinėmis komandomis paskutiniai bitai gali
# skirtis nuo mūsiškių, bet ir ten C ir Python sutaps.
# %%
named = of_c.argmax(axis=1)
wrong = np.flatnonzero(named != testing.targets())
chosen = np.concatenate([wrong[:8], np.setdiff1d(np.arange(40), wrong)[: 24 - min(len(wrong), 8)]])
ax = plots.pictures(testing.pictures[chosen], titles=[f"{named[i]} ({testing.targets()[i]})" for i in chosen], columns=8)
ax.set_title("as C names them", pad=-2)
plt.show()
# %% [markdown] en
# Above each picture stands what the C program said, and in brackets what the writer meant. The errors come first.
#
# ## Start to finish
#
# A program that is called for each picture pays for its start. Here is the whole of a run on 360 pictures, from the call of the process to its end,
# for the C program and for a Python script that does the same; the least of five.
# %% [markdown] lt
# Virš kiekvieno vaizdo – ką pasakė C programa, o skliaustuose – ką turėjo omenyje rašiusysis. Klaidos rodomos pirmos.
#
# ## Nuo pradžios iki pabaigos
#
# Programa, kuri kviečiama kiekvienam vaizdui, moka už savo paleidimą. Štai visas 360 vaizdų apdorojimas nuo proceso paleidimo iki jo
# pabaigos C programai ir tą patį darančiam Python scenarijui; mažiausias iš penkių laikų.
# %%
model.save_weights("digits.safetensors")
SCRIPT = """
import numpy as np, sasuka
model = sasuka.create_model("lenet5")
model.load_weights("digits.safetensors")
pictures = np.fromfile("pictures.bin", dtype=np.uint8).reshape(-1, 28, 28, 1)
model(model.preprocess(pictures)).tofile("logits.bin")
"""


def milliseconds(command):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


runs = {
    "Python starts and predicts": milliseconds([sys.executable, "-c", SCRIPT]),
    "C starts and predicts": milliseconds(["./digits", "pictures.bin", "logits.bin"]),
}
ax = plt.subplots(figsize=(7, 1.6), layout="constrained")[1]
bars = ax.barh(list(runs), list(runs.values()), color=["#0072B2", "#D55E00"])
ax.bar_label(bars, [f"{value:.0f}" for value in runs.values()], padding=3)
ax.set_xlabel("milliseconds")
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)
plt.show()
# %% [markdown] en
# ## When something is wrong
#
# What comes from outside may be anything. We damage one byte of the weights' header and compile again, and give the
# program a file that is not there. In both cases it ends in order, with a message that says what was expected.
# %% [markdown] lt
# ## Kai kas nors negerai
#
# Iš išorės gali ateiti bet kas. Sugadiname vieną svorių antraštės baitą ir sukompiliuojame iš naujo, paskui programai
# nurodome failą, kurio nėra. Abiem atvejais ji baigia tvarkingai ir pasako, ko buvo tikėtasi.
# %%
Path("weights.h").write_text(
    "static const unsigned char weights[] = {\n" + ",\n".join(lines).replace("123,", "122,", 1) + "\n};\n"
)
subprocess.run(command, check=True)
for name, file in (("a damaged file:", "pictures.bin"), ("a missing file:", "nowhere.bin")):
    done = subprocess.run(["./digits", file, "logits.bin"], capture_output=True, text=True)
    print(name, done.returncode, done.stderr.strip())
    assert done.returncode == 1 and done.stderr
# %% [markdown] en
# ## What to see
#
# - The whole way from a trained model to a program that stands alone is sixty lines of C, one array and one call of the compiler.
# - The logits are equal bit for bit, preprocessing included, so what was measured in the notebook holds for the program.
# - The program is done before Python has started: Python must first load itself, its modules and NumPy.
# - Errors are statuses with a text. A library that ended its host on a damaged file would have no place in a device.
#
# ## Exercises
#
# 1. Let the program read weights from a file given on the command line (`sasuka_model_load_weights`), and have it load a `.pth`
#    that `model.save_weights("digits.pth")` wrote.
# 2. Give `sasuka_model_create` an options struct with `threads = 1` (`sasuka_model_options_init` first). Does a bit of the logits change?
# 3. Compute one picture at a time with a session (`sasuka_session_create`), and measure the microseconds of `sasuka_session_run`.
# 4. Let the C program go on learning: `sasuka_model_train_step` with the pictures that it got wrong, and
#    `sasuka_model_save_weights`. Load what it saved in Python and evaluate.
# 5. Build a network of your own with `sasuka_graph_…` in C, name its layers as `sasuka.nn` does ("0.weight", …), and load weights that
#    were trained here.
# %% [markdown] lt
# ## Ką pastebėti
#
# - Visas kelias nuo išmokyto modelio iki savarankiškos programos – šešios dešimtys C eilučių, vienas masyvas ir vienas kompiliatoriaus kvietimas.
# - Logitai, įskaitant pirminį apdorojimą, sutampa iki bito, todėl kas išmatuota sąsiuvinyje, galioja ir programai.
# - Programa baigia darbą anksčiau, nei Python spėja pasileisti: jis pirma turi įkelti save, savo modulius ir NumPy.
# - Klaidos yra būsenos su tekstu. Bibliotekai, kuri dėl sugadinto failo nutrauktų šeimininko darbą, prietaise ne vieta.
#
# ## Užduotys
#
# 1. Tegu programa svorius skaito iš failo, nurodyto komandų eilutėje (`sasuka_model_load_weights`), ir įkelia `.pth` failą, kurį
#    įrašė `model.save_weights("digits.pth")`.
# 2. Funkcijai `sasuka_model_create` perduokite parinktis, kuriose `threads = 1` (pirma `sasuka_model_options_init`). Ar pasikeičia bent vienas logitų bitas?
# 3. Skaičiuokite po vieną vaizdą seansu (`sasuka_session_create`) ir išmatuokite, kiek mikrosekundžių trunka `sasuka_session_run`.
# 4. Tegu C programa mokosi toliau: `sasuka_model_train_step` su vaizdais, kuriuos atpažino klaidingai, ir
#    `sasuka_model_save_weights`. Ką ji įrašė, įkelkite Python programoje ir įvertinkite.
# 5. Su `sasuka_graph_…` C kalba sudarykite savo tinklą, jo sluoksnius pavadinkite taip, kaip `sasuka.nn` („0.weight“ ir t. t.), ir įkelkite
#    čia išmokytus svorius.
