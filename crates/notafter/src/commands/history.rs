//! `notafter history`: what nights have come to. Nothing runs.

use super::nightly::tell;
use crate::args::HistoryArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::printer::Printer;
use notafter_core::{NightHead, ServiceName};
use notafter_report::night;
use notafter_runner::history::{Filter, History};

pub(crate) fn run(args: &HistoryArgs, printer: &mut Printer) -> Result<Exit, Error> {
    let service = args.service.clone().map(ServiceName::new).transpose().map_err(Error::NotAService)?;
    let history = History::open_existing(&args.history)?;
    let asks_for_builds = args.scenario.is_some() || service.is_some();
    let filter = Filter {
        night: args.night,
        scenario: args.scenario.clone(),
        service: service.clone(),
        nights: Some(args.last),
    };
    let nights = || -> Result<Vec<NightHead>, Error> {
        match args.night {
            Some(night) => Ok(vec![history.night(night)?.ok_or(Error::NoNight { night })?]),
            None => Ok(history.nights(None, args.last)?),
        }
    };
    let (mut page, styles) = (String::new(), printer.out_styles());
    // A String takes everything that is written to it.
    match args.night {
        _ if args.json => {
            page = night::json(&nights()?, &history.entries(&filter)?).map_err(Error::Render)?;
        }
        _ if asks_for_builds => {
            _ = night::entries(&mut page, &history.entries(&filter)?, service.as_ref(), &styles);
        }
        Some(night) => tell(&history, night, printer)?,
        None => _ = night::nights(&mut page, &nights()?, &styles),
    }
    printer.data(&page)?;
    Ok(Exit::Allow)
}
